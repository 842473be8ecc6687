"""A second plan is empty, and destroy deletes everything. This file runs last."""

from support.live_stack import LiveStack


def test_a_second_plan_is_empty(stack: LiveStack) -> None:
    assert stack.aws.terraform.plan_is_empty(), stack.aws.terraform.log.read_text()[-5000:]


def test_destroy_deletes_everything(stack: LiveStack) -> None:
    stack.aws.destroy()
    assert stack.everything() == {}
