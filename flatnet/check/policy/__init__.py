"""Network policies: what an engine has to enforce, as cases of objects and of who may reach whom."""
