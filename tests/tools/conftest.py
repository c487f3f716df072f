"""Fixtures of studies, for the tests of their tools."""

from study_fixtures import stub_tools, write_study  # noqa: F401  fixtures
