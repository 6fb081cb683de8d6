"""Bundles: conversion of runs and window networks, signing, export to C and ONNX."""
