# The notebook of chapter 1, on a part of MNIST and for fewer epochs.
import mnist
import numpy as np
from notebook import SimpleNetwork, binary_cross_entropy, derivated_binary_cross_entropy

np.random.seed(42)

X_train, y_train = mnist.train_images(), mnist.train_labels()
X_test, y_test = mnist.test_images(), mnist.test_labels()
num_classes = 10
img_idx = np.random.randint(0, X_test.shape[0])
X_train, X_test = X_train.reshape(-1, 28 * 28), X_test.reshape(-1, 28 * 28)
print(f"Pixel values between {X_train.min()} and {X_train.max()}")
X_train, X_test = X_train / 255.0, X_test / 255.0
print(f"Normalized pixel values between {X_train.min()} and {X_train.max()}")
y_train = np.eye(num_classes)[y_train]

mnist_classifier = SimpleNetwork(num_inputs=X_train.shape[1], num_outputs=num_classes, hidden_layers_sizes=[64, 32])
predictions = mnist_classifier.forward(X_train)
loss_untrained = mnist_classifier.loss_function(predictions, y_train)
accuracy_untrained = mnist_classifier.evaluate_accuracy(X_test[:200], y_test[:200])
print(f"Untrained : training loss = {loss_untrained:.6f} | val accuracy = {accuracy_untrained * 100:.2f}%")

losses, accuracies = mnist_classifier.train(
    X_train[:600], y_train[:600], X_test[:200], y_test[:200], batch_size=30, num_epochs=42
)
losses, accuracies = [loss_untrained] + losses, [accuracy_untrained] + accuracies
print(len(losses), losses[-1], accuracies[-1])
predicted_class = mnist_classifier.predict(np.expand_dims(X_test[img_idx], 0))
print(f"Predicted class: {predicted_class}; Correct class: {y_test[img_idx]}")

# The same with the other loss.
network = SimpleNetwork(
    784,
    num_classes,
    [32],
    loss_function=binary_cross_entropy,
    derivated_loss_function=derivated_binary_cross_entropy,
)
network.train(X_train[:600], y_train[:600], batch_size=30, num_epochs=3, print_frequency=1)
