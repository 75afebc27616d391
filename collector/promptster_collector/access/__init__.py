"""Who the caller is and what they may do: principals, tokens, roles, rate limits and the guard of every route."""
