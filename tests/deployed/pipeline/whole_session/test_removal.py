"""A second plan finds nothing to change; destroy leaves nothing. No other test of the stack comes after it."""

from support.live_stack import LiveStack


def test_a_second_plan_is_empty(stack: LiveStack) -> None:
    assert stack.aws.terraform.plan_is_empty(), stack.aws.terraform.log.read_text()[-5000:]


def test_destroy_deletes_everything(stack: LiveStack) -> None:
    stack.aws.destroy()
    assert stack.everything() == {}
