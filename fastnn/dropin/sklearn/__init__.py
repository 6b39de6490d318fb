"""scikit-learn's perceptrons and neighbours: a program that imports them from here runs as before, and faster.

    from fastnn.dropin.sklearn.neural_network import MLPClassifier
    from fastnn.dropin.sklearn.neighbors import KNeighborsClassifier

Names, signatures, parameters and results are scikit-learn's; see :mod:`fastnn.estimators` for what goes beyond.
"""
