"""What people read after a run or an evaluation: the HTML reports and the model card."""

from intarsia.reports.card import model_card
from intarsia.reports.evaluation import require_free, write_evaluation
from intarsia.reports.run import write_report
from intarsia.reports.samples import worst_masks, worst_samples

__all__ = ["model_card", "require_free", "worst_masks", "worst_samples", "write_evaluation", "write_report"]
