"""The shapes of questions and answers. Null means not reported or not measured, never 0."""
