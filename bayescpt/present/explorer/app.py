# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The explorer as marimo runs it: controls, and the panel that follows them."""

import marimo

app = marimo.App(width="full", app_title="bayescpt explore")


@app.cell(hide_code=True)
def _():
    import marimo as mo

    from bayescpt.present.explorer import widgets
    from bayescpt.present.explorer.session import current

    session = current()
    # Not bound to a name: a change of the address must not make the controls anew.
    controls = widgets.controls(mo, session, mo.query_params().to_dict())
    return controls, mo, session, widgets


@app.cell(hide_code=True)
def _(controls, mo, session, widgets):
    mo.vstack([mo.Html(widgets.head(session)), widgets.layout(mo, controls)])
    return


@app.cell(hide_code=True)
def _(controls, mo, session, widgets):
    state = widgets.state_of(controls.value, session)
    widgets.write_address(mo.query_params(), state)
    mo.Html(widgets.shown(session, state))
    return


if __name__ == "__main__":
    app.run()
