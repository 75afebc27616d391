"""When and how often an invite was opened with its secret.

Revision 0003. Of existing invites only later openings are known.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the times."""
    op.add_column("invites", sa.Column("opened_ms", sa.BigInteger(), nullable=True))
    op.add_column("invites", sa.Column("reopened", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("invites", sa.Column("reopened_ms", sa.String(256), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Drop them."""
    for name in ("reopened_ms", "reopened", "opened_ms"):
        op.drop_column("invites", name)
