"""What instances cost, to be shown before they are started."""

# US dollars an hour in us-east-1, approximate, November 2026: the page decides. Other regions cost
# up to about half as much again.
PAGE = "https://aws.amazon.com/sagemaker/ai/pricing/"
NOTED = "November 2026, us-east-1, approximate"
HOURS_A_MONTH = 730
HOURLY = {
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c6i.large": 0.102,
    "ml.c6i.xlarge": 0.204,
    "ml.c7i.large": 0.107,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
}


def price(instance_type: str, instances: int = 1) -> str:
    """Return what instances of a type cost, in words."""
    hourly = HOURLY.get(instance_type)
    if hourly is None:
        return f"{instances} x {instance_type}: for its price see {PAGE}"
    cost = hourly * instances
    return (
        f"{instances} x {instance_type}: about ${cost:.3f} an hour,"
        f" ${cost * HOURS_A_MONTH:.0f} a month ({NOTED}; {PAGE})"
    )
