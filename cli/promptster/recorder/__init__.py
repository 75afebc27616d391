"""The background program of a session: it runs the proxy, captures events, keeps the journal and delivers it."""
