"""Lines about epochs."""

from overtone_cloud.training.run_folder import progress_lines


def test_a_few_lines_of_a_training() -> None:
    said: list[str] = []
    report = progress_lines(said.append, 10, 2)
    for epoch in range(1, 10):
        report({"epoch": epoch, "loss": 1.25})
    report({"epoch": 10.0, "loss": 1.0, "inner_uar": 0.5})
    assert said == ["epoch 5 of 10, loss 1.25", "epoch 10 of 10, loss 1.00, inner UAR 50.0 %"]
