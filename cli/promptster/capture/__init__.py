"""From one API's bytes and an agent's hook payloads to drafts of events.

What lives here knows providers' wire formats and agents' habits. It opens no socket and writes no file: the proxy hands
in observed exchanges, the hook receiver payloads, and every finding leaves through one ``append`` function.
"""
