"""Strategies that make wire types of any content."""

from __future__ import annotations

from hypothesis import strategies as st

from docfleet.core import review
from docfleet.core.files import FileHashData, Tag, WorkerFileData

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
name = text.filter(bool)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(text, json_values, max_size=3)
optional = st.none() | name
file_hash_data = st.builds(
    FileHashData,
    file_name=name,
    file_path=name,
    file_hash=text,
    file_size=st.integers(0, 2**53),
    mime_type=text,
    provider_file_uuid=optional,
    fs_metadata=objects,
    source_connection_type=optional,
    file_destination=st.none() | name | st.lists(name, max_size=2),
    is_executed=st.booleans(),
    file_number=st.none() | st.integers(1, 10**6),
    connector_id=optional,
    use_file_history=st.booleans(),
    is_manualreview_required=st.booleans(),
    hitl_queue_name=optional,
    hitl_packet_id=optional,
    rejection=optional,
)
worker_file_data = st.builds(
    WorkerFileData,
    workflow_id=name,
    execution_id=name,
    organization_id=name,
    pipeline_id=name.filter(lambda value: value != "None") | st.none(),
    single_step=st.booleans(),
    scheduled=st.booleans(),
    execution_mode=name,
    use_file_history=st.booleans(),
    q_file_no_list=st.lists(st.integers(1, 100), max_size=4),
    hitl_queue_name=optional,
    hitl_packet_id=optional,
    manual_review_config=st.builds(
        review.ManualReviewConfig,
        review_required=st.booleans(),
        review_percentage=st.integers(0, 100),
        rule_logic=st.sampled_from([None, "AND", "OR"]),
        rule_json=json_values,
        file_decisions=st.lists(st.booleans(), max_size=4),
        q_file_no_list=st.lists(st.integers(1, 100), max_size=4),
    ),
    is_manualreview_required=st.booleans(),
    llm_profile_id=optional,
    tags=st.lists(st.builds(Tag, id=name, name=name, description=text), max_size=2),
    custom_data=st.none() | objects,
)
