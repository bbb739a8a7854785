"""Send a document and wait for its outcome: python examples/send_and_follow.py statement.pdf

Needs ECO_URL, ECO_CA, ECO_CLIENT_ID and ECO_CLIENT_SECRET (from `eco client create NAME`).
"""

import os
import sys

from ecosystem_client import ApiError, Ecosystem


def main(path: str) -> int:
    environment = os.environ
    with Ecosystem(
        environment["ECO_URL"], environment["ECO_CLIENT_ID"], environment["ECO_CLIENT_SECRET"], ca=environment["ECO_CA"]
    ) as ecosystem:
        try:
            receipt = ecosystem.documents.upload(path)
        except ApiError as refusal:
            print(f"refused: {refusal.detail} Next: {refusal.next_step}")
            return 1
        document = ecosystem.documents.follow(receipt.document_id)
        print(f"{document.kind}: {document.outcome}, score {document.compliance_score}")
        for rule in ecosystem.documents.result(receipt.document_id).failing:
            print(f"  {rule.rule}: {rule.evidence}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
