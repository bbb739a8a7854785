"""When a trouble began; and restarts, whose attempts are counted by the supervisor over several episodes."""

from alembic import op

revision, down_revision = "0003_since", "0002_work"


def upgrade() -> None:
    op.execute("alter table recovery.episodes add column since timestamptz")
    # Two replicas that die together both have their first attempt. What happened once has one id all the same.
    op.execute("alter table recovery.actions drop constraint if exists actions_episode_id_action_attempt_key")
    op.execute("create index actions_of_episode on recovery.actions (episode_id, at)")


def downgrade() -> None:
    # Without the constraint: attempts that were kept since may break it.
    op.execute("drop index recovery.actions_of_episode")
    op.execute("alter table recovery.episodes drop column since")
