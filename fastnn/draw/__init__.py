"""The page on which a person draws a digit and watches a network train: ``fastnn draw``.

server.py     HTTP on 127.0.0.1, and what is refused there
studio.py     what the page can ask for, and the thread that trains
side.py       a network in training, A or B, and what is shown of it
settings.py   the settings of a training, as the page sends them
image_set.py  the images, and the drawings that join them
export.py     the page with a network inside, which needs no server
page.html     the page
"""
