"""Reading sessions: live ones from the inbox, ended ones from their sealed segment; evidence, bundles, exports."""
