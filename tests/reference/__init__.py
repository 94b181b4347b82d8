"""config/README.md, made from the models of the configuration, so that no key is missing and none is made up."""
