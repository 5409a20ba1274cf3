# Everything a newcomer types. `make demo` and `make test` set the environment up by themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Without a GPU, constraints.txt pins a torch that downloads no CUDA. With one: make CONSTRAINTS= demo
CONSTRAINTS ?= -c constraints.txt

.PHONY: demo test test-slow lint format clean
.DEFAULT_GOAL := demo

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e '.[dev]'
	touch $@

demo: $(VENV)/installed ## restore the bundled examples, PSNR before and after
	mkdir -p demo
	$(BIN)/alr denoise examples/noisy.png --sigma 0.1 --reference examples/noisy-clean.png -o demo/denoised.png --overwrite
	$(BIN)/alr deblur examples/blurred.png --kernel gaussian:7:3 --sigma 0.03 --reference examples/blurred-clean.png -o demo/deblurred.png --overwrite
	$(BIN)/alr inpaint examples/scratched.png --mask examples/scratches.png --sigma 0 --reference examples/scratched-clean.png -o demo/inpainted.png --overwrite
	@echo "The pictures are in demo/; their inputs are in examples/."

test: $(VENV)/installed ## the tests, under six minutes on two cores
	$(BIN)/python -m pytest

test-slow: $(VENV)/installed ## the tests that take longer
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo build dist
