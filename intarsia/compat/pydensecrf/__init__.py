"""pydensecrf's interface: ``import intarsia.compat.pydensecrf.densecrf as dcrf`` instead of its own, and no more.

Three things differ. Arrays of any type and layout are taken, where pydensecrf wants contiguous float32. Matrices are
NumPy arrays, not Eigen wrappers, so that ``np.array(Q)`` still works and is no longer needed. Learning the parameters
(gradients) is not there; `intarsia.refine.CRFLayer` learns them.
"""
