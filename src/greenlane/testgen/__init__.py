"""The offline test generator: writes tests for changed lines that no test runs yet, without a language model.

It watches how the existing tests call the changed functions (fixtures included), varies those calls with the constants
that the code compares, observes in the sandbox what comes of them, and keeps the few calls that reach the open lines.
What it writes characterises today's behaviour; whether that behaviour is right is for the review to say.
"""

from greenlane.testgen.asked import Asked, Origin, TestAsker
from greenlane.testgen.generator import Generation, TestGenerator
from greenlane.testgen.whole import GeneratedFile

__all__ = ["Asked", "GeneratedFile", "Generation", "Origin", "TestAsker", "TestGenerator"]
