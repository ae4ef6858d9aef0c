"""Properties are tested with the same examples each time, lest a gate fail by chance; ``make fuzz`` seeks others."""

from hypothesis import HealthCheck, settings

COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", COMMON, derandomize=True)
settings.register_profile("fuzz", COMMON, max_examples=500, print_blob=True)
settings.load_profile("gate")
