"""What people read after a run or an evaluation: the HTML reports and the model card."""

from intarsia.reports.card import model_card
from intarsia.reports.evaluation import require_free, worst_masks, worst_pictures, write_evaluation
from intarsia.reports.run import write_report

__all__ = ["model_card", "require_free", "worst_masks", "worst_pictures", "write_evaluation", "write_report"]
