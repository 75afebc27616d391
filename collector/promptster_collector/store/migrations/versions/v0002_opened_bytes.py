"""The decrypted size of a session.

Revision 0002. Existing sessions are counted from this revision on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count."""
    op.add_column("sessions", sa.Column("opened_bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("sessions", "opened_bytes")
