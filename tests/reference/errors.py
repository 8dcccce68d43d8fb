"""How the reference refuses."""


class Refused(Exception):
    """A check failed; str() is the name that the specification gives the error."""


def require(condition, name):
    if not condition:
        raise Refused(name)


def refusal(function, *args):
    """The name of the error that function raises; None if it accepts."""
    try:
        function(*args)
    except Refused as refused:
        return str(refused)
    return None
