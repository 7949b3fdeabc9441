"""The one error that a person who runs the study is meant to read."""


class StudyError(Exception):
    """Bad input or a failed run: one line that names the key, file or image and says what to do."""
