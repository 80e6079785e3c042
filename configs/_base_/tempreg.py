# How the stock models of configs/stock are regularised. They are trained with L1 losses: the two terms of the loss
# must be of one kind for alpha to mean anything.
custom_imports = dict(imports=['mmtempreg'], allow_failed_imports=False)

tempreg = dict(
    transform=dict(type='RandomAffine'),
    regularization=dict(type='TransformInvarianceLoss', distance=dict(type='L1Loss')),
    alpha=0.8)
# A run that is killed goes on as if it had not been; one that diverges stops before it spoils the weights.
safe_hooks = [dict(type='ExactResumeHook'), dict(type='FiniteLossHook')]
