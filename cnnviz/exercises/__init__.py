"""Checks of the learner's answers, one module a chapter; nothing heavy is imported until a chapter is.

``from cnnviz.exercises import ch02`` and ``ch02.check_output_size(output_size)`` give a Verdict: right, or what went
wrong and the first case that shows it.

- ``ch01`` images and filters: grey from colour, a box kernel, a filter with loops, edge magnitude, a border
- ``ch02`` convolution arithmetic: sizes, leftovers, paddings, convolution and pooling with loops, counting weights
- ``ch03`` pooling and receptive fields: ceil mode, L2 pooling, the way back, what a number sees, branches, a wide stack
- ``ch04`` counting the cost: parameters, mult-adds and memory of layers and networks, designs under a budget
- ``ch05`` LeNet: shapes and parameters of its layers, its first block, the whole network, the error rate
- ``ch06`` training well: normalising, hinge loss, first weights, update / weight, dropout, naming what is wrong
- ``ch07`` AlexNet: counting two groups, response normalisation, two towers, top-k error, networks that answer together
- ``ch08`` VGG: the share of a stack, two filters as one, counting a network, a stage, how signals shrink
- ``ch09`` network in network: a stage and its parameters, a perceptron at every pixel, two heads, class maps
- ``ch10`` GoogLeNet: counting modules, naive modules in a row, the module 3a, the loss with heads, 1 x n and n x 1
- ``ch11`` ResNet: layers of a name, the weight of the identity, shortcut A, counting a block, a block V2
- ``ch12`` loss surfaces: share below a level, standard error, filter normalisation, folding, minima, curvature, a plane
- ``ch13`` residual paths: counting them, their mean length, stochastic depth, a deleted block, what each length carries
- ``ch14`` ResNeXt and DenseNet: weights of paths, paths under a budget, a grouped block, channels, a dense layer
- ``ch15`` separable convolutions: as full ones and what they lose, MobileNetV2's block and its parameters
- ``ch19`` choosing an architecture: Keras' count, the best under a budget, networks that none beats, chance

``check`` is how they work; an exercise is one function ``check_<noun>`` in its chapter's module.
"""
