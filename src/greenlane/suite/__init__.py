"""Running a project's tests in the sandbox and reading back what they did: for the analyzer and the generator."""
