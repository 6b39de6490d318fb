"""TensorFlow's quickstart for beginners: logits, a loss called by hand, a model of a model."""

import tensorflow as tf

print("TensorFlow version:", tf.__version__)
tf.random.set_seed(2)

mnist = tf.keras.datasets.mnist
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train, x_test = x_train[:6000] / 255.0, x_test[:1000] / 255.0
y_train, y_test = y_train[:6000], y_test[:1000]

model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Flatten(input_shape=(28, 28)),
        tf.keras.layers.Dense(64, activation="relu"),
        tf.keras.layers.Dropout(0.2),
        tf.keras.layers.Dense(10),
    ]
)
predictions = model(x_train[:1]).numpy()
print(predictions.shape, tf.nn.softmax(predictions).numpy().sum())
loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print("about 2.3:", loss_fn(y_train[:1], predictions).numpy())

model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=3)
test_loss, score = model.evaluate(x_test, y_test, verbose=2)
probability_model = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
print(probability_model(x_test[:5]).numpy().round(2))
