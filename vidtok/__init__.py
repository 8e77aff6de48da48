"""vidtok: video classification with ViViT, TokenLearner and a registry of spatio-temporal token mixers."""
