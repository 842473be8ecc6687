"""GeneratorLambda plays the workshop's game on the pipeline."""

from support.live_stack import LiveStack

HARD = {
    "SPECIAL_TRADES": 1,
    "FAILURE_STATE_LAMBDA_PCT": 5,
    "FAILURE_MAP_LAMBDA_PCT": 10,
    "FAILURE_REDUCE_LAMBDA_PCT": 10,
}


def test_exact_rounds_score_100_points_and_300_points_turn_the_hard_mode_on(
    stack: LiveStack,
) -> None:
    scores = []
    for seed in range(4):
        # Seeds that neither the demo nor another test uses: existing trades would change no total.
        event = {"messages": 200, "seed": 7000 + seed, "wait_seconds": 60}
        result = stack.invoke("generator", event)
        assert result["rows_that_differ"] == 0, result
        assert result["points"] == 100
        assert result["mode"] == ("hard" if seed == 3 else "plain")
        scores.append(result["score"])
        parameters = stack.stack.parameters()
        assert parameters.pop("SCORE") == result["score"]
        assert parameters == (HARD if result["score"] >= 300 else {})
    assert scores == [100, 200, 300, 400]
