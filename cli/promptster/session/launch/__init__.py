"""Starting agents with recording on."""
