"""What must be beaten is of the images that a row was measured on."""

from __future__ import annotations

from ilsvrc_replay.leaderboard.floors import images_of, linear_errors, shortfall

BASELINE = {"linear_top1_err": 15.0, "linear_val_top1_err": 14.0, "linear_train_top1_err": 13.0}
BASELINE |= {"chance_top1_err": 90.0}
TEST, FIRST = {"protocol": "single_crop", "images": 10_000}, {"protocol": "ten_crop@1000", "images": 1000}
HELD_OUT = {"protocol": "validation_images", "images": 5000}
SEEN = {"protocol": "training_images@2000", "images": 2000}


def test_the_kind_and_number_of_images_is_named() -> None:
    assert images_of([TEST]) == "10,000 test images"
    assert images_of([FIRST, TEST]) == "10,000 test images"
    assert images_of([FIRST]) == "1,000 test images"
    assert images_of([HELD_OUT]) == "5,000 validation images"
    assert images_of([HELD_OUT, SEEN]) == "5,000 validation images and 2,000 training images"


def test_the_linear_classifiers_error_is_of_these_images() -> None:
    assert linear_errors([TEST, FIRST], BASELINE) == "15.00 %"
    assert linear_errors([HELD_OUT], BASELINE) == "14.00 %"
    assert linear_errors([TEST, SEEN], BASELINE) == "15.00 % on the test images and 13.00 % on the training images"


def test_a_net_counts_as_trained_if_it_beats_the_classifier_on_these_images() -> None:
    assert shortfall(14.5, 15.5, BASELINE, "single_crop") is None
    assert shortfall(14.5, 15.5, BASELINE, "validation_images") == "is not better than the linear classifier"
    assert shortfall(15.0, 15.5, BASELINE, "single_crop") == "is not better than the linear classifier"
    assert shortfall(88.0, 90.0, BASELINE, "single_crop") == "did not leave chance"
