# contrib: what packagers and users of other programs take from here.
