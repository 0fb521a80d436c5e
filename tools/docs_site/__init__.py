"""The documentation as a static site, from the README files, the pages in nas/howto, and the docstrings.

`contents` lists the pages; `settings_page`, `commands_page` and `api` write those that are made from the code; `links`
finds where their links lead; `write` puts all of them into a folder, which MkDocs turns into HTML. Nothing but
`__main__` needs MkDocs. It was preferred to Sphinx because our pages and docstrings are Markdown: Sphinx would read
``N_l`` in a docstring's formula as a reference.
"""
