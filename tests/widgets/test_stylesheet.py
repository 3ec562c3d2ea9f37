"""The style sheet of the widgets and the colours of the figures are the same."""

import re

from cnnviz.figures import style
from cnnviz.widgets import explorer

ROLES = re.compile(r"--(\w+): (#[0-9a-f]{6});")


def test_every_role_has_the_colour_that_the_figures_give_it():
    first_rule = re.search(r"\.cnnviz \{(.*?)\}", explorer.style(), re.DOTALL)[1]
    roles = {"input": style.INPUT, "weight": style.WEIGHT, "output": style.OUTPUT}
    roles |= {"accent": style.ACCENT, "second": style.SECOND, "third": style.THIRD}
    assert dict(ROLES.findall(first_rule)) == roles


def test_every_theme_names_every_role():
    themes = [set(dict(ROLES.findall(rule))) for rule in re.findall(r"\.cnnviz \{(.*?)\}", explorer.style(), re.DOTALL)]
    assert len(themes) == 3  # light, JupyterLab's dark, the system's dark
    assert themes[0] == themes[1] == themes[2]
