"""What a job takes, told before it begins: from the headers of its sources, and one trial of the network."""

from intarsia.jobs.forecast.contract import Expected, Forecast
from intarsia.jobs.forecast.making import check_memory, forecast

__all__ = ["Expected", "Forecast", "check_memory", "forecast"]
