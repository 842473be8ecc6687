"""The demo packs records as the Kinesis Producer Library does, so that what it shows is what producers send."""

from aws_kinesis_agg.aggregator import RecordAggregator
from hypothesis import given
from hypothesis import strategies as st

from leda.streams.aggregated import packed
from leda_cli.demos.play_record_processor import aggregated


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=9), st.binary(max_size=300)), min_size=1, max_size=9
    )
)
def test_the_demos_packed_record_holds_what_the_librarys_does(
    messages: list[tuple[str, bytes]],
) -> None:
    aggregator = RecordAggregator()
    for key, data in messages:
        aggregator.add_user_record(key, data)
    assert packed(aggregated(messages)) == packed(aggregator.clear_and_get().get_contents()[2])
