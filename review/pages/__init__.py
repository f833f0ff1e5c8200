"""Pages for the people who curate and screen: what they read and do, one file for each kind of work."""
