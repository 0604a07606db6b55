.PHONY: setup run test check bench
setup run test check bench:
	@scripts/$@
