"""What people read after a run: the HTML report and the model card."""

from intarsia.reports.card import model_card
from intarsia.reports.run import write_report

__all__ = ["model_card", "write_report"]
