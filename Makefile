# Each target sets up what it needs in $(VENV), once: a stamp file there remembers it.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

# Plain `pip install torch` brings 18 CUDA wheels; this version is a CPU build on the development machines. Elsewhere:
# make test TORCH="torch --index-url https://download.pytorch.org/whl/cpu", or TORCH= to skip the tests that need it.
TORCH ?= torch==2.13.0

RUN := $(VENV)/bin/python
TORCH_STAMP := $(VENV)/.torch-$(shell echo '$(TORCH)' | cksum | cut -d' ' -f1)
PIP := $(RUN) -m pip --disable-pip-version-check install -q

.PHONY: help demo test soak bench lint zoo clean

help:
	@echo "make demo    load a pretrained GAN, draw digits, fine-tune it, export it"
	@echo "make test    run all tests (PYTEST_ARGS='-k losses' for some)"
	@echo "make soak    what takes long: processes killed at many steps, 10,000 spoilt files; under an hour"
	@echo "make bench   measure speed and memory, and write the tables of benchmarks/README.md; 20 minutes"
	@echo "make lint    ruff"
	@echo "make zoo     the index, cards and table made from zoo/*/card.json"
	@echo "make clean   remove $(VENV) and what was built"

demo: $(VENV)/.demo
	$(RUN) -m kerasgan demo

test: $(VENV)/.dev $(if $(TORCH),$(TORCH_STAMP))
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

soak: $(VENV)/.dev $(if $(TORCH),$(TORCH_STAMP))
	$(RUN) -m pytest --soak $(PYTEST_ARGS)

bench: $(VENV)/.dev $(VENV)/.plot $(TORCH_STAMP)
	$(RUN) benchmarks/bench.py

lint: $(VENV)/.ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

zoo: $(VENV)/.dev
	$(RUN) -c "from kerasgan import cards; cards.publish('zoo', 'README.md')"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache

# pip is tested for, and not bin/python: a venv that failed half-way (Debian without python3-venv) has only the latter.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or \
		sys.exit("kerasgan needs Python >= 3.11 and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % v[:2])'
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.created setup.py
	@echo "Installing kerasgan and TensorFlow into $(VENV): some minutes, once."
	@$(PIP) -e '.[metrics,tflite]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created setup.py
	@echo "Installing kerasgan, TensorFlow and what the tests need into $(VENV): some minutes, once."
	@$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.plot: $(VENV)/.created setup.py
	@$(PIP) -e '.[plot]'
	@touch $@

$(TORCH_STAMP): $(VENV)/.created
	@$(PIP) $(TORCH)
	@touch $@

$(VENV)/.ruff: $(VENV)/.created
	@$(PIP) ruff
	@touch $@
