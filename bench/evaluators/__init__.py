"""Networks that only metrics need, and the suites that name who evaluates what."""
