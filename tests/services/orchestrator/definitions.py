"""Small definitions for tests; agents and tasks are those of the contracts."""

from ecosystem.workflow.model import Definition
from ecosystem.workflow.parse import parse

HEAD = """
document: {{dsl: 1.0.0, namespace: tests, name: {name}, version: {version}}}
evaluate: {{language: cel}}
"""


def a_definition(name: str, body: str, *, version: str = "1.0.0") -> Definition:
    """`body` begins at `do:` or at what may stand before it."""
    return parse(HEAD.format(name=name, version=version) + body)


def call(task: str, agent: str = "validation-agent", *, indent: int = 4, timeout: str = "PT5S") -> str:
    """The lines of a call that sends the run's own id."""
    lines = (
        "call: agent",
        f"with: {{agent: {agent}, task: {task}, input: {{document_id: '${{workflow.id}}'}}}}",
        f"timeout: {{after: {timeout}}}",
    )
    return "\n".join(" " * indent + line for line in lines)


FORK = a_definition(
    "fork",
    f"""
do:
- both:
    fork:
      branches:
      - left:
          try:
          - ask:
{call("validate_document", indent=14)}
          catch:
            when: ${{ error.retryable }}
            retry: {{delay: {{milliseconds: 10}}, limit: {{attempt: {{count: 3}}}}}}
      - right:
          try:
          - ask:
{call("extract_metadata", "metadata-extraction-agent", indent=14)}
          catch:
            retry: {{delay: {{milliseconds: 20}}, limit: {{attempt: {{count: 3}}}}}}
      - third:
          do:
          - one:
{call("check_compliance", "creditx-compliance-agent", indent=14)}
          - two:
{call("store_document", "storage-agent", indent=14)}
    output: {{as: "${{ {{'outcome': 'joined', 'parts': output}} }}"}}
""",
)

LOOP = a_definition(
    "loop",
    f"""
do:
- first:
{call("validate_document")}
- each:
    for: {{in: '${{ input.page_batches }}', each: batch}}
    metadata: {{at_once: 2}}
    do:
    - one:
        call: agent
        with: {{agent: ocr-agent, task: read_pages, input: {{pages: '${{batch}}'}}}}
    - two:
{call("extract_metadata", "metadata-extraction-agent", indent=8)}
output: {{as: "${{ {{'outcome': 'joined', 'passes': output.size()}} }}"}}
""",
)

PAIR = a_definition(
    "pair",
    f"""
do:
- first:
{call("validate_document")}
- second:
{call("extract_metadata", "metadata-extraction-agent")}
- third:
{call("store_document", "storage-agent")}
""",
)

SHORT = a_definition(
    "short",
    f"""
timeout: {{after: {{milliseconds: 1}}}}
do:
- first:
    try:
    - ask:
{call("validate_document", indent=8)}
    catch:
      do:
      - never: {{set: {{caught: true}}}}
""",
)

ENDLESS = a_definition(
    "endless",
    """
do:
- again: {set: {n: 1}, then: again}
""",
)
