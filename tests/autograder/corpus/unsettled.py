"""Variants of which the grader does otherwise than they expect, or of which it is not settled what is right.

They are graded like all others, each in a notebook of its own, and told on the page of the accuracy; a test of one of
them that passes or fails says nothing yet. By the name of the student's folder: what is seen today.
"""

UNSETTLED = {
    "chain-of-new-models": "in a notebook with other mistakes another sentence stands there",
    "both-for-three-numbers": "what follows in the chain and in the denoiser is not agreed",
    "noise-multiplied": "pictures with so much noise are for a person",
    "black-and-white-exchanged": "later pictures and trainings are for a person",
    "encoder-a-rescaling": "the grader's training stays at the average of all digits, and a person decides",
    "encoder-third-sigmoid": "the grader's training stays at the average of all digits, and a person decides",
    "comparison-trained-towards-sums-of-rows": "Keras stops at the second dimension, which costs more checks",
    "denoiser-images-upside-down": "the images are recognised all the same",
    "denoised-images-upside-down": "they are taken for training images",
    "denoised-beside-other-noisy-images": "stopped by another mistake of its notebook",
    "denoiser-eight-latent-dimensions": "stopped by another mistake of its notebook",
    "denoised-by-the-autoencoder": "another message stands there in a notebook with other mistakes",
    "fit-test-images": "not seen in a notebook of its own",
}
