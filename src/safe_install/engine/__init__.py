"""The policy: joins `index`, `resolve`, `build` and `install` into the commands' work."""
